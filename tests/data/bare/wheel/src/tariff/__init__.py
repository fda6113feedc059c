"""Prices of a tariff."""
