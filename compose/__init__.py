"""How the parts are put together: the embedded local stack, the command line and the files of real deployments."""
