import { authzKind, implement } from '@cleat/sdk';
import { base64, of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () =>
    of(
      implement(authzKind, {
        AuthZReq: ({ RequestUri }) => ({ Allow: RequestUri === '/info', Msg: 'look only' }),
        AuthZRes: () => ({ Allow: true }),
      }),
    ),
  asks: (Id) => [
    ['AuthZReq', { RequestUri: '/info', RequestHeaders: { 'User-Agent': Id.slice(0, 5) } }],
    ['AuthZReq', { RequestUri: `/containers/${Id}/start`, RequestBody: base64({ Id, Env: ['API_TOKEN=x'] }) }],
    ['AuthZRes', { RequestUri: '/info', ResponseStatusCode: 200, ResponseBody: base64({ ID: Id }) }],
  ],
};
