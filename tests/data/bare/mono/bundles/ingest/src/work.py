# Databricks notebook source
import sys
from pathlib import Path

sys.path.append(str(Path.cwd().parents[2] / "shared"))

# COMMAND ----------
from calendars import first_day

print(first_day(2026, 11))
