# Databricks notebook source
rows = spark.range(12)  # noqa: F821  a notebook has it
print(f"{rows.count()} rows")
