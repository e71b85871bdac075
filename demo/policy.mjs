// The policy the demo is meant for: as a meta tag in the built page, and as a header wherever it is served.
export const contentSecurityPolicy = [
  "default-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'", "style-src 'self'",
  "img-src 'self' blob: data:", "object-src 'none'", "base-uri 'none'",
].join('; ');
