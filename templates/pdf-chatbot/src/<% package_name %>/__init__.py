"""The chatbot on PDF documents: everything that the notebooks do, as plain functions that can be tested without Spark."""
