// As a user of Testcontainers has it in his tests: arguments are the context, its Dockerfile, and "BuildKit" or not.
import { GenericContainer } from 'testcontainers';

const [context = '', dockerfile = '', how] = process.argv.slice(2);
let builder = GenericContainer.fromDockerfile(context, dockerfile).withBuildArgs({ WORD: 'said' }).withTarget('app');
if (how === 'BuildKit') builder = builder.withBuildkit();
const image = await builder.build('contained:1', { deleteOnExit: false });
const container = await image.withExposedPorts(80).start();
const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/index.html`);
process.stdout.write(await answer.text());
await container.stop();
