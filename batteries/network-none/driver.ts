import { networkWithoutInterfaces } from '@cleat/sdk/networks';

/** No network: the one thing to say is that the sandbox holds a loopback and nothing else. */
export const noneDriver = networkWithoutInterfaces('none');
