"""Who is who: pure solvers and normalisers that the identity models call."""
