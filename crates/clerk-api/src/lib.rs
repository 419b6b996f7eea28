//! Clerk Backend API.
