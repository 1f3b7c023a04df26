"""HTTP for every feature: routes, bodies, problems, pages, ETags, idempotency and the OpenAPI document."""
