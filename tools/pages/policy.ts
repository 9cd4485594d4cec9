/**
 * What a page of the site may load: the site's own scripts, styles and images, and nothing from anywhere else.
 *
 * Scripts are files, no inline ones: what an output would smuggle in does not run. `'self'` is the site over HTTP;
 * `file:` is the site opened from a folder, where browsers differ in what `'self'` means (a page from the web cannot
 * load `file:` addresses at all). Integrity hashes would need CORS, which file addresses do not have. Styles may be
 * inline, because tables, the rollout viewer and plotly's drawings have style attributes; `data:` and `blob:` images
 * are the notebooks' drawings and plotly's "download as PNG".
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' file:",
  "style-src 'self' file: 'unsafe-inline'",
  "img-src 'self' file: data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
