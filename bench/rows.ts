import type { Across, OverlayName } from './overlay-pair.js';
import type { BenchPlugin, PluginName } from './plugin-pair.js';
import type { Row } from './row.js';
import { apiRows } from './rows/api.js';
import { authorizationRows } from './rows/authorization.js';
import { balancerRows } from './rows/balancer.js';
import { buildRows } from './rows/builds.js';
import { containerRows } from './rows/containers.js';
import { engineWideRows } from './rows/engine.js';
import { extensionRows } from './rows/extensions.js';
import { hookRows } from './rows/hooks.js';
import { imageRows } from './rows/images.js';
import { layerRows } from './rows/layers.js';
import { logRows } from './rows/logs.js';
import { managedRows } from './rows/managed-plugins.js';
import { nameRows } from './rows/names.js';
import { networkRows } from './rows/networks.js';
import { overlayRows } from './rows/overlay.js';
import { pluginRows } from './rows/plugins.js';
import { proxyRows } from './rows/proxy.js';
import { trafficRows } from './rows/traffic.js';

/** All lines between engines, in the order of the tables. */
export const engineRows: readonly Row[] = [
  ...containerRows,
  ...logRows,
  ...extensionRows,
  ...imageRows,
  ...layerRows,
  ...buildRows,
  ...apiRows,
  ...engineWideRows,
  ...managedRows,
  ...hookRows,
  ...balancerRows,
  ...authorizationRows,
  ...proxyRows,
  ...nameRows,
  ...networkRows,
  ...trafficRows,
];

/** All lines, with the number by which `--rows` knows each. */
export const numbered: {
  readonly engines: readonly [number, Row][];
  readonly plugins: readonly [number, Row<BenchPlugin, PluginName>][];
  readonly overlays: readonly [number, Row<Across, OverlayName>][];
} = {
  engines: engineRows.map((row, index) => [index + 1, row]),
  plugins: pluginRows.map((row, index) => [engineRows.length + index + 1, row]),
  overlays: overlayRows.map((row, index) => [engineRows.length + pluginRows.length + index + 1, row]),
};
