import { authzKind, defineExtension, implement, run } from '@cleat/sdk';

/** An authorizer that allows everything, so that it costs nothing but being asked; it refuses one request, to be seen. */
const allowAll = defineExtension({
  options: { root: { help: 'not used: every plugin under measurement is given one' } },
  start: () => ({
    implementations: [
      implement(authzKind, {
        AuthZReq: ({ RequestUri = '' }) => ({ Allow: !RequestUri.includes('/images/bench-refused/') }),
        AuthZRes: () => ({ Allow: true }),
      }),
    ],
  }),
});

await run(allowAll, { name: 'allow-all' });
