import { join } from 'node:path';
import { findCommand } from '@cleat/linux/host';
import { fastestRuntime, type RuntimeChoice } from '@cleat/linux/runtime/fastest';
import type { Settings } from './settings.js';

/**
 * The runtime of containers that name none: the operator's word, else the fastest one that works on this host, which is
 * found out by using it: once until the host boots again, unless it is to be found out afresh.
 */
export async function defaultRuntime(
  { engine, values }: Settings,
  { afresh = false } = {},
): Promise<RuntimeChoice | { name: string; why: string }> {
  if (engine.defaultRuntime !== '') return { name: engine.defaultRuntime, why: 'as configured' };
  const own = values['add-runtime'].crun;
  // An operator may call any program crun.
  if (own && (own.runtimeArgs?.length || findCommand(own.path) !== findCommand('crun'))) {
    return { name: 'runc', why: 'crun is one of your own: name it with --default-runtime to make it the default' };
  }
  const { execRoot, cgroupParent } = engine;
  return await fastestRuntime({ directory: execRoot, cgroupParent, memory: join(execRoot, 'crun-works'), afresh });
}
