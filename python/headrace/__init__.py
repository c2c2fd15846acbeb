"""The Python half of Headrace."""
