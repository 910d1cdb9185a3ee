import { authzKind, defineExtension, implement, run } from '@cleat/sdk';

/** An authorizer that allows everything: what remains is the cost of asking it. */
const allowAll = defineExtension({
  options: { root: { help: 'not used: every plugin under measurement is given one' } },
  start: () => ({
    implementations: [implement(authzKind, { AuthZReq: () => ({ Allow: true }), AuthZRes: () => ({ Allow: true }) })],
  }),
});

await run(allowAll, { name: 'allow-all' });
