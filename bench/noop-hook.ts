#!/usr/bin/env node
import { defineExtension, hookKind, implement, run } from '@cleat/sdk';

/** A request hook that sees whole requests for containers, and changes nothing. */
const noop = defineExtension({
  start: () => ({
    implementations: [
      implement(hookKind, {
        Capabilities: () => ({ Request: 'body', Match: [{ Methods: ['POST'], Routes: ['/containers/create'] }] }),
        Request: () => ({}),
      }),
    ],
  }),
});

await run(noop, { name: 'noop-hook' });
