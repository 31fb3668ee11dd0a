import { runService } from '#service/run-service.js';
import { agentDefinition } from './agent.definition.js';

await runService(agentDefinition);
