"""Back-pressure: claims stop while Novu cannot serve, and a workflow that fails alone delays no other."""
