//! Executing ahead gives what executing in turn gives, whatever the load.

mod load;
mod plan;
mod same;
