//! Recipes of the family `actions`.

mod evoenv;
mod genac;
mod ma_rlhf;
mod rl_mle;
mod sotopia_rl;
mod text2grad;
mod verpo;
mod vpr;
mod webstar;
