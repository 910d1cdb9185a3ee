import { findCommand } from '@cleat/linux/host';
import { fastestRuntime, type RuntimeChoice } from '@cleat/linux/runtime/fastest';
import type { Settings } from './settings.js';

/**
 * The runtime of containers that name none: the operator's word, else the fastest one that works on this host, which is
 * found out by using it.
 */
export async function defaultRuntime({
  engine,
  values,
}: Settings): Promise<RuntimeChoice | { name: string; why: string }> {
  if (engine.defaultRuntime !== '') return { name: engine.defaultRuntime, why: 'as configured' };
  const own = values['add-runtime'].crun;
  // An operator may call any program crun.
  if (own && (own.runtimeArgs?.length || findCommand(own.path) !== findCommand('crun'))) {
    return { name: 'runc', why: 'crun is one of your own: name it with --default-runtime to make it the default' };
  }
  return await fastestRuntime({ directory: engine.execRoot, cgroupParent: engine.cgroupParent });
}
