import { networkWithoutInterfaces } from '@cleat/sdk/networks';

/** The host's own network: the one thing to say is that a container needs no sandbox of its own. */
export const hostDriver = networkWithoutInterfaces('host');
