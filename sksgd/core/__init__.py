"""What stands between an estimator and the kernels: blocks of rows, the problem, the state, one pass, the loop."""
