"""Orders: what Flipkart's buyers ordered, shipment by shipment, as last read from Flipkart."""
