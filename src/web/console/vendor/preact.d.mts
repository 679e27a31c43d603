export type ComponentChildren = any;
export interface VNode { type: any; props: any; key: any }
export type Component<P = any> = (props: P) => VNode | null | string | VNode[];
export const Fragment: Component;
export const options: any;
export function h(type: any, props: any, ...children: ComponentChildren[]): VNode;
export function render(node: ComponentChildren, parent: Element): void;
