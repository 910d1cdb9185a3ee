import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineExtension, implement, invalidParameter, notFound, secretKind } from '@cleat/sdk';

/** A secret is a file; it is read each time a container starts, and kept nowhere. */
export default defineExtension({
  options: { root: { default: '/etc/my-plugin', help: 'where the secrets are' } },
  start({ options }) {
    const provider = implement(secretKind, {
      async GetSecret({ SecretName = '' }) {
        // A name must not lead out of the directory.
        if (!/^\w[\w.-]*$/.test(SecretName))
          throw invalidParameter('a secret has a name of letters, digits, -, _ and .');
        const value = await readFile(join(options.root, SecretName)).catch(() => {
          throw notFound(`there is no secret ${SecretName}`);
        });
        return { Value: value.toString('base64'), DoNotReuse: true };
      },
    });
    return { implementations: [provider] };
  },
});
