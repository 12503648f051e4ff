mod clean;
mod damage;
mod sample;
