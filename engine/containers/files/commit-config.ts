import type { ContainerConfig } from '@cleat/protocol/api/container';
import { referenceOf, refuseReserved } from '../../content/references.js';
import { applyChanges } from '../../images/changes/index.js';
import { mergeConfig } from '../create/merge.js';
import type { CommitContainerOptions } from '../service.js';

/**
 * The configuration of a container's image (moby `daemon/commit.go`): the changes, applied to what the request
 * brings or else to the container's own, and that over the container's own.
 * @throws InvalidParameter, Forbidden: everything that can be wrong with a request is found before work begins
 */
export function committedConfig(own: ContainerConfig, options: CommitContainerOptions): ContainerConfig {
  if (options.repository !== '') refuseReserved(referenceOf(options.repository, options.tag));
  const changed = applyChanges(options.config ?? own, options.changes);
  // A shell and a stop timeout are the request's or nobody's; names are a container's, never an image's.
  const { Shell, StopTimeout } = changed;
  return { ...mergeConfig(changed, own), Shell, StopTimeout, Hostname: '', Domainname: '' };
}
