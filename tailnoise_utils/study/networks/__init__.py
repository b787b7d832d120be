"""The paper's data sets and networks, trained by plain SGD."""
