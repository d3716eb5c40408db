"""The core of Tributary: what is neither loading, modelling, checking nor ordering."""
