"""Shipcrowd: a portal with which a logistics platform and its sellers run their Flipkart business."""
