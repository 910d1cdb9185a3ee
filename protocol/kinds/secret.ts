import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

const labels = (description: string) => Type.Optional(Type.Record(Type.String(), Type.String(), { description }));

const Port = Type.Object({
  Name: Type.Optional(Type.String()),
  Protocol: Type.Optional(Type.Integer({ description: '0 tcp, 1 udp, 2 sctp' })),
  TargetPort: Type.Optional(Type.Integer({ description: 'In the container.' })),
  PublishedPort: Type.Optional(Type.Integer({ description: 'On the host.' })),
  PublishMode: Type.Optional(Type.Integer({ description: '0 ingress, 1 host' })),
});

export const SecretRequest = Type.Object({
  SecretName: Type.Optional(Type.String()),
  SecretLabels: labels('What else is said of the secret: for the provider to make sense of.'),
  ServiceHostname: Type.Optional(Type.String({ description: 'The container’s host name, for certificates.' })),
  ServiceID: Type.Optional(Type.String({ description: 'Swarm only.' })),
  ServiceName: Type.Optional(Type.String({ description: 'Without swarm: the container’s name.' })),
  ServiceLabels: labels('Without swarm: the container’s labels.'),
  TaskID: Type.Optional(Type.String({ description: 'Without swarm: the container’s ID.' })),
  TaskName: Type.Optional(Type.String({ description: 'Without swarm: the container’s name.' })),
  TaskImage: Type.Optional(Type.String()),
  NodeID: Type.Optional(Type.String({ description: 'Without swarm: the engine’s ID.' })),
  ServiceEndpointSpec: Type.Optional(
    Type.Object({
      Mode: Type.Optional(Type.Integer({ description: '0 virtual IP, 1 DNS round robin' })),
      Ports: Type.Optional(Type.Array(Port)),
    }),
  ),
});
export type SecretRequest = Static<typeof SecretRequest>;

export const secretKind = {
  label: 'secret',
  name: 'secretprovider',
  prefix: 'SecretProvider',
  version: 1,
  title: 'Secrets',
  called: 'secret provider',
  does: 'knows what nobody else is to know',
  neededToStart: true,
  stockDocker: 'installed only, in a swarm',
  errorKey: 'Err',
  about:
    'Secrets: who knows what a container must be told and nobody else. The capability is called `secretprovider`, the method `SecretProvider.GetSecret`. Docker’s secret provider protocol (swarmkit `manager/drivers`). Members that are empty are left out.',
  methods: {
    GetSecret: {
      about: 'The value of one secret, for one container. Asked at each start.',
      since: 'API 1.31',
      request: SecretRequest,
      response: Type.Object({
        Value: Type.Optional(Type.Union([Type.String({ description: 'base64' }), Type.Null()])),
        DoNotReuse: Type.Optional(
          Type.Boolean({ description: 'For this container only. Cleat asks each time, and keeps no value.' }),
        ),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
  },
} as const satisfies Kind;
