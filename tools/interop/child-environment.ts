/**
 * What the programs of `npm run interop` get of the environment: code of others runs there, and keys are none of its
 * business. A list of what is passed, since nobody can list all names that keys have.
 */

/** Where programs, settings and caches are, the language, proxies and certificates, devices. */
const PASSED =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_CACHE_HOME|XDG_CONFIG_HOME|XDG_DATA_HOME|LD_LIBRARY_PATH|HF_HOME|HF_HUB_CACHE|HF_DATASETS_CACHE|(?:HTTPS?|ALL|NO)_PROXY|https?_proxy|all_proxy|no_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|CUDA_VISIBLE_DEVICES|FINE_R1_(?:DEVICE|HOME|KERNELS|ENGINE))$/;

/** pip's and uv's settings: an index's address may hold a password, so they are for installing alone. */
const FOR_INSTALLING = /^(?:PIP|UV)_\w+$/;

const chosen = (source: NodeJS.ProcessEnv, patterns: readonly RegExp[]): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(source).filter(([name]) => patterns.some((pattern) => pattern.test(name))));

/** The environment of a program that computes. @param extra added to it */
export const childEnvironment = (
  extra: Readonly<Record<string, string>> = {},
  source: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv => ({ ...chosen(source, [PASSED]), ...extra });

/** The environment of one that installs packages. */
export const installEnvironment = (
  extra: Readonly<Record<string, string>> = {},
  source: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv => ({ ...chosen(source, [PASSED, FOR_INSTALLING]), ...extra });
