import { notFound } from '@cleat/protocol/errors';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { secretKind } from '@cleat/protocol/kinds/secret';

export type SecretHandlers = Handlers<typeof secretKind>;

/** A provider that does everything right, and has one secret. */
export class HealthySecrets implements SecretHandlers {
  secrets: Record<string, string> = { password: 'open sesame' };

  GetSecret: SecretHandlers['GetSecret'] = ({ SecretName = '' }) => {
    const value = Object.hasOwn(this.secrets, SecretName) ? this.secrets[SecretName] : undefined;
    if (value === undefined) throw notFound(`there is no secret ${JSON.stringify(SecretName)}`);
    return { Value: Buffer.from(value).toString('base64'), DoNotReuse: true };
  };
}
