/** What a user's file imports from the gateway is the gateway that runs it, wherever either of them is installed. */
import { registerHooks } from 'node:module';
import { extname } from 'node:path';

/** Source in development, JavaScript in the package. */
const COMPONENT = new URL(`../component${extname(import.meta.url)}`, import.meta.url).href;

let offered = false;

/** From here on `sallyport/component` is found from every folder, without a node_modules. */
export function offerOwnModules(): void {
  if (offered) return;
  offered = true;
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'sallyport/component' ? { url: COMPONENT, shortCircuit: true } : next(specifier, context),
  });
}
