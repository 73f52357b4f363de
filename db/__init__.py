"""What is stored, and how to reach it. Imports neither `schema` nor `gateway`."""
