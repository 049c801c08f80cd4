"""ONNX models that the tests make: see catalogue.py for the list and graph.py for how one is written down."""
