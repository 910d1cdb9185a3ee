import { notImplemented } from '@cleat/protocol/errors';
import type { Route } from '../http/router.js';

/** In the words of a stock engine without `--experimental`, which is where its clients expect them. */
const refuse = (): never => {
  throw notImplemented(
    'This experimental feature is disabled by default: this engine makes no checkpoints, and starts from none.',
  );
};

/** `docker checkpoint`, which is refused. */
export const checkpointRoutes: Route[] = [
  { method: 'GET', path: '/containers/:name/checkpoints', handler: refuse },
  { method: 'POST', path: '/containers/:name/checkpoints', handler: refuse },
  { method: 'DELETE', path: '/containers/:name/checkpoints/:checkpoint', handler: refuse },
];
