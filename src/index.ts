/** The public names of the package. */
export type { Config, OptionName } from './config.ts';
export { defaultConfig, OPTIONS, parseConfig } from './config.ts';
export type { Engine } from './engine.ts';
export { startEngine } from './engine.ts';
export type { ErrorBody, ErrorCode } from './errors.ts';
export { ERRORS, HeadraceError } from './errors.ts';
export { createLog } from './observe/log.ts';
export { loadRegistry, parseRegistry } from './registry/load.ts';
export { RegistryError } from './registry/problems.ts';
export type { Registry, View } from './registry/view.ts';
