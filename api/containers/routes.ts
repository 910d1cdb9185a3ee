import type { Route } from '../http/router.js';
import type { ApiServices } from '../services.js';
import { archiveRoutes } from './archive.js';
import { attachRoutes } from './attach.js';
import { checkpointRoutes } from './checkpoints.js';
import { createRoutes } from './create.js';
import { inspectRoutes } from './inspect.js';
import { lifecycleRoutes } from './lifecycle.js';
import { listRoutes } from './list.js';
import { logRoutes } from './logs.js';
import { observeRoutes } from './observe.js';
import { waitRoutes } from './wait.js';

/** Everything under `/containers`, and `/commit`. `DELETE /containers/:name` and `:name/json` match last. */
export function containerRoutes({ containers }: ApiServices): Route[] {
  return [
    ...listRoutes(containers),
    ...createRoutes(containers),
    ...archiveRoutes(containers),
    ...attachRoutes(containers),
    ...logRoutes(containers),
    ...waitRoutes(containers),
    ...checkpointRoutes,
    ...observeRoutes(containers),
    ...inspectRoutes(containers),
    ...lifecycleRoutes(containers),
  ];
}
