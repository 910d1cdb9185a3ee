/**
 * The version that clients see. Tools compare it as a semantic version against Docker's releases, so it begins with
 * the release whose API we speak (29.6 brought 1.55, 29.8 brings 1.56); our own version is build metadata behind `+`, which comparisons
 * ignore and which real engines carry, too (`20.10.24+dfsg1`).
 */
export const engineVersion = '29.8.0+cleat.0.1.0';
