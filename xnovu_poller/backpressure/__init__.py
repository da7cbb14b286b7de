"""Back-pressure: claims stop while Novu cannot serve, and a workflow that fails by itself delays no other workflow."""
