import { hookKind, implement } from '@cleat/sdk';
import { of, type Script } from '../../recording/script-of-kind.fixture.js';

const common = { Method: 'POST', Route: '/containers/create', Params: {}, Version: '1.51' };
const Caller = { Method: 'none', User: '' };

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () =>
    of(
      implement(hookKind, {
        Capabilities: () => ({ Request: 'body', Response: 'head' }),
        Request: ({ Route }) => ({ Set: [{ Path: 'Body.Labels.route', Value: Route }] }),
        Response: () => ({}),
      }),
    ),
  asks: (ID) => [
    ['Capabilities', {}],
    ['Request', { ...common, ID, Caller, Query: {}, Headers: {}, Body: { Image: 'x', Env: ['API_TOKEN=x'] } }],
    ['Response', { ...common, ID, Caller, Status: 201, Headers: {} }],
  ],
};
