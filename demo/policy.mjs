// The policy the demo is meant for: as a meta tag in the built page, and as a header wherever it is served.
// Connections elsewhere are for the endpoint that a person gives on the Enrichment page.
export const contentSecurityPolicy = [
  "default-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'", "style-src 'self'",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
  "img-src 'self' blob: data:", "object-src 'none'", "base-uri 'none'",
].join('; ');
