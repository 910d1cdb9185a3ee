import type { ExtensionStatus } from '@cleat/extensions/service';

/** A sentence for each extension that is in use here and does not work, as `docker info` shows them. */
export function extensionWarnings(all: readonly ExtensionStatus[]): string[] {
  return all.flatMap((one) => {
    const trouble = inUse(one) ? troubleOf(one) : undefined;
    if (trouble === undefined) return [];
    const reason = one.reason.replaceAll(/\s+/g, ' ');
    return [`WARNING: Extension ${one.name} (${one.kinds.join(', ')}) ${trouble}${reason ? `: ${reason}` : ''}`];
  });
}

/** A leftover socket that never answered is nobody's concern; its kinds are not known. */
function inUse({ state, kinds }: ExtensionStatus): boolean {
  return state !== 'disabled' && kinds.length > 0;
}

function troubleOf({ state, health, waitsUntil }: ExtensionStatus): string | undefined {
  if (health === 'suspended') return 'is suspended because it hangs';
  if (waitsUntil) return 'does not answer yet and is waited for';
  if (state === 'missing') return 'is missing, and a container or client waits for it';
  return state === 'unreachable' ? 'is unreachable' : undefined;
}
