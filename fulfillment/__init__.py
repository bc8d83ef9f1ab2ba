"""Labels, printing, dispatch: what a warehouse does with a shipment on its way out."""
