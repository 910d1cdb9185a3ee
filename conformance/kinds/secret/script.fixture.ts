import { implement, secretKind } from '@cleat/sdk';
import { of, type Script } from '../../recording/script-of-kind.fixture.js';

/** Makes things anew each time; IDs are the engine's. */
export const script: Script = {
  module: () => of(implement(secretKind, { GetSecret: () => ({ Value: Buffer.from('s').toString('base64') }) })),
  asks: (TaskID) => [['GetSecret', { SecretName: 'password', TaskID, ServiceName: 'web' }]],
};
