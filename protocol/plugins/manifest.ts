import { invalidParameter } from '../errors.js';
import { decode } from '../json.js';
import { isRecord, parseJson } from '../json-text.js';
import { PluginManifest } from './config.js';
import { Faults } from './faults.js';
import { checkSafety } from './safety.js';
import { checkSense } from './sense.js';
import { checkShape, manifestBounds } from './shape.js';

export type { PluginManifest } from './config.js';

/**
 * Reads a plugin's manifest, which is foreign text.
 *
 * - `strict`, for what is made here: an unknown member, a wrong type and what makes no sense are refused.
 * - `lenient`, for what others published: what Docker ignores is ignored, and what only fails when the plugin starts is left
 *   to that. A wrong type is refused as Docker refuses it, and in addition what is out of bounds or leads out of the
 *   plugin's own places.
 *
 * Keys match in any case; a list that is absent is null, any other member has Go's zero value.
 * @throws InvalidParameter with the path of each fault
 */
export function readManifest(text: string, how: 'strict' | 'lenient'): PluginManifest {
  if (text.length > manifestBounds.text) {
    throw invalidParameter(`invalid plugin manifest: it has more than ${manifestBounds.text} characters`);
  }
  const value = parsed(text);
  const faults = new Faults();
  if (!isRecord(value)) faults.add('', 'must be an object');
  checkShape(PluginManifest, value, faults, { lenient: how === 'lenient' });
  faults.throwIfAny();
  const manifest = decode(PluginManifest, value, 'plugin.Config');
  checkSafety(manifest, faults);
  if (how === 'strict') checkSense(manifest, faults);
  faults.throwIfAny();
  return manifest;
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw invalidParameter(`invalid plugin manifest: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
