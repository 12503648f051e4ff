mod anchor;
mod check;
mod claim;
mod network;
