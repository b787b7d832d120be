"""Exits from wells under Levy and Brownian noise, simulated and in theory."""
